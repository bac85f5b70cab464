"""What an instance says of itself and what operators do with it: health, reflection, its drain.

Imports the audit log and the server's errors. Hands out servicers, which the assembly serves.
"""
