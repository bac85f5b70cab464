"""The unit of work of a batch: what its writes read and change by key, read once and written once.

Rows are declared at module level (`Rows`, `RowsBy`, `Newest`, `Appends`) and used with a connection
like statements. The writer begins a `Unit` for each transaction; reads have none.
"""
