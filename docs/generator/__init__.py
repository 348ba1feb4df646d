"""Pages of the site that are made of the code: of registries, catalogues and schemas, anew at each build."""
