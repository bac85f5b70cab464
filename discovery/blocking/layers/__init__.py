"""The layers of the blocking client stack; `stack` lists them in order."""
