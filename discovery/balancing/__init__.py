"""Which instance an attempt goes to: policies, load, ejection, slow start."""
