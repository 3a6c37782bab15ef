"""The pages that readers see, and the room from which the mail they ask for leaves."""
