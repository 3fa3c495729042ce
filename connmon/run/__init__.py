"""``connmon run``: a command whose connections all have to be returned."""
