"""connmon inside real hosts: servers, workers, loops and odd programs; `make hosts`."""
