"""Users' tables, anchors and questions, from files, folders or the Hub."""
