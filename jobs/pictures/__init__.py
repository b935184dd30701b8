"""Picture files: checked before they are sent, proven whole when they come, stored by content."""
