"""The form of a database of anchors: rows, manifest, licences, download."""
