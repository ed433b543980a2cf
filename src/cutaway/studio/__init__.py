"""The local web studio: the page's requests -> verbs and engine -> JSON and frames. Listens on this machine only."""
