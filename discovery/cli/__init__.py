"""The command line for operators: `python -m discovery resolve|watch|explain`.

It may import everything else. `main` parses the arguments and prints; `inspection` collects; the
views turn values into text.
"""
