"""Reference databases: prototypes, generated once per dataset, and their disposable clones."""
