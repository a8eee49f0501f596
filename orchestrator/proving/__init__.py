"""Proving suggestions: data copies, sandboxed sessions, the steps of a proof, patches (design, section 8)."""
