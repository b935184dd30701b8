-- The producer has admitted the last row. ARGV: batch. Returns 1 if the batch is complete.
-- Twice is once: it only sets what is set already.
local b = key('batch', ARGV[1])
redis.call('HSET', b, 'sealed', 1)
redis.call('ZADD', key('active'), 'NX', now, ARGV[1])
return complete(b)
