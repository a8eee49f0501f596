"""From a dataset of an order to its generator."""

from __future__ import annotations

from pathlib import Path

from orchestrator.databases.generators.base import Generator
from orchestrator.databases.generators.csv_folder import CsvGenerator
from orchestrator.databases.generators.data_directory import DataDirectoryGenerator
from orchestrator.databases.generators.pgbench import PgbenchGenerator
from orchestrator.databases.generators.sql_script import SqlGenerator
from orchestrator.databases.generators.tpch import TpchGenerator
from snipbench.domain.order import CsvFolder, DataDirectory, Dataset, Pgbench, SqlFile, Tpch


def generator_for(dataset: Dataset, base: Path) -> Generator:
    """The generator of a dataset; its files are relative to ``base``. Reads nothing yet."""
    match dataset:
        case Tpch(scale=scale):
            return TpchGenerator(scale)
        case Pgbench(scale=scale):
            return PgbenchGenerator(scale)
        case SqlFile(sql=path):
            return SqlGenerator(base / path)
        case CsvFolder(csv=path):
            return CsvGenerator(base / path)
        case DataDirectory(data_directory=path):
            return DataDirectoryGenerator(base / path)
