"""Advice: what a fleet's own figures say is wrong with how its pools are used.

A *finding* (``finding``) is said by a *rule*. Rules about a pool are given a *use*
(``use``): one pool of one program, in all processes that have it, on all hosts. Those
of ``sizing``, ``misuse`` and ``holding`` are pure; ``book`` lists all of them.
"""
