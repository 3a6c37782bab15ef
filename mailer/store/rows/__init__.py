"""What the tables hold, column by column."""
