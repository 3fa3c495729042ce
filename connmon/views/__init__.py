"""What consoles are shown: tables of rows, chosen, filtered and sorted."""
