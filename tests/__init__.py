"""Tests of connmon."""

import signal

# A shell that starts the suite in the background has it, and all it starts, ignore ^C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
