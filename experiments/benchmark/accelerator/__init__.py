"""The benchmark on an accelerator that is lent for minutes.

`schedule` has each of the `rows` computed by a process of its own, `row`.
"""
