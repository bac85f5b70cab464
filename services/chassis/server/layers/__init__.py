"""The layers of the server stack; `stack` lists them in order."""
