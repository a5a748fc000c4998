"""Cards in Markdown: their templates, and what fills them."""
