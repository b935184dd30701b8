-- What whoever watches a batch looks at, in one command; it changes nothing. ARGV: batch.
-- Returns {{ledger id, orders, orders that replicas have}, {batch hash}, {gate hash}}.
return {
  redis.call('HMGET', key('meta'), 'id', 'orders', 'confirmed_orders'),
  redis.call('HGETALL', key('batch', ARGV[1])),
  redis.call('HGETALL', key('gate')),
}
