"""How bytes come over the wire: settings, credentials, retries, range requests, downloads."""
