-- After TPC-H query 1, of one year's lines: totals per return flag and line status.
select
  l_returnflag,
  l_linestatus,
  sum(l_quantity) as quantity,
  sum(l_extendedprice) as base_price,
  sum(l_extendedprice * (1 - l_discount)) as discounted_price,
  avg(l_discount) as average_discount,
  count(*) as lines
from lineitem
where l_shipdate >= date '1998-01-01' and l_shipdate <= date '1998-09-02'
group by l_returnflag, l_linestatus
order by l_returnflag, l_linestatus
