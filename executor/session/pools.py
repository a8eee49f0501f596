"""Peak memory of one run in the JVM: its memory pools, reset before the run (design, rule 5)."""

from __future__ import annotations

from typing import Any

SOURCE = """
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.util.Iterator;

public class MemoryPools {
    public void reset() {
        for (Iterator pools = ManagementFactory.getMemoryPoolMXBeans().iterator(); pools.hasNext();) {
            ((MemoryPoolMXBean) pools.next()).resetPeakUsage();
        }
    }

    public long peakBytes() {
        long sum = 0;
        for (Iterator pools = ManagementFactory.getMemoryPoolMXBeans().iterator(); pools.hasNext();) {
            sum += ((MemoryPoolMXBean) pools.next()).getPeakUsage().getUsed();
        }
        return sum;
    }
}
"""
"""Compiled by Janino, Spark's own compiler: one call through the gateway instead of two for each pool."""


class JvmPools:
    """The JVM's memory pools. ``peak_bytes`` sums the peaks of the pools, which need not fall on one instant."""

    def __init__(self, jvm: Any) -> None:
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.cook(SOURCE)
        self._pools = compiler.getClassLoader().loadClass("MemoryPools").getDeclaredConstructors()[0].newInstance(None)

    def reset(self) -> None:
        """Set each pool's peak to what it uses now, garbage included."""
        self._pools.reset()

    def peak_bytes(self) -> int:
        """Sum of the pools' peaks since the reset."""
        return int(self._pools.peakBytes())
