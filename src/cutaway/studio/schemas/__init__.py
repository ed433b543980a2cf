"""What goes over the wire, as pydantic models: the page's types are generated from these."""
