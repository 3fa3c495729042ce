"""What is true of connections, pools, processes and programs: pure rules and values."""
