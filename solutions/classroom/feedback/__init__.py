"""The room of what people read: feedback pages, formgrader, the report, and marks for other systems.

It reads the gradebook and the verdicts and decides nothing. Strangers' text leaves it washed only. Proof and the command line may come in.
"""
