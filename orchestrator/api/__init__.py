"""The HTTP API. Its contract is the OpenAPI document at ``/openapi.json``."""
