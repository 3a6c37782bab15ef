"""Signs mails (DKIM), in processes of its own where there are many. `signer.Signer` is what the others use.

Nothing is imported here: each process that signs comes in through this room, and has to start quickly.
"""
