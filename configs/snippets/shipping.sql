-- After TPC-H query 3: the ten open orders of one market segment worth most.
select
  l_orderkey,
  sum(l_extendedprice * (1 - l_discount)) as revenue,
  o_orderdate
from customer
join orders on c_custkey = o_custkey
join lineitem on l_orderkey = o_orderkey
where c_mktsegment = 'BUILDING'
  and o_orderdate < date '1995-03-15'
  and l_shipdate > date '1995-03-15'
  and l_shipdate < date '1995-07-15' -- nothing is shipped more than 121 days after its order
group by l_orderkey, o_orderdate
order by revenue desc, o_orderdate, l_orderkey
limit 10
