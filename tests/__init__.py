"""Tests of connmon."""

import signal

# A shell that starts the suite in the background has it, and all that it starts, ignore
# what a terminal sends, and nohup has it ignore that a terminal is gone.
for _each in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_each) is signal.SIG_IGN:
        signal.signal(_each, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)
