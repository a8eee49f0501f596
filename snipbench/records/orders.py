"""Submitted orders as documents. The model is kept as JSON text, since Spark's setting names hold dots."""

from __future__ import annotations

from snipbench.domain.order import Order
from snipbench.domain.task import OrderRecord
from snipbench.store.port import Document


def order_to_document(record: OrderRecord) -> Document:
    """The document of an order."""
    return {
        "_id": record.order_id,
        "name": record.order.name,
        "file": record.file,
        "text": record.text,
        "order": record.order.model_dump_json(by_alias=True),
        "submitted_at": record.submitted_at,
        "overrides": dict(record.overrides),
        "files": [list(file) for file in record.files],
        "source": record.source,
    }


def order_from_document(document: Document) -> OrderRecord:
    """Inverse of :func:`order_to_document`."""
    return OrderRecord(
        order_id=document["_id"],
        file=document["file"],
        text=document["text"],
        order=Order.model_validate_json(document["order"], strict=True),
        submitted_at=document["submitted_at"],
        overrides=document["overrides"],
        files=tuple((name, text) for name, text in document.get("files", ())),
        source=document.get("source"),
    )
