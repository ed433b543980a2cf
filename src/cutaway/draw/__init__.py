"""Numbers and arrays -> SVG, PNG and self-contained pages; knows no model and opens no file.

`report` (one run as a page), `sweep`, `checks` (what `cutaway check` found), `charts` and `confusion` (SVG), `sheet`
(pictures -> one PNG). Modules are imported by name, so that a chart does not load the page's template engine.
"""
