-- Puts a batch to rest that is complete and exported. ARGV: batch, last outbox entry that was exported ('0' = none).
-- Returns 1, or 0 when a job was reopened or something ended meanwhile. Twice is once: it looks each time, and takes out what is out.
if redis.call('HEXISTS', key('batch', ARGV[1]), 'completed_ms') == 0 then return 0 end
local last = redis.call('XREVRANGE', key('out', ARGV[1]), '+', '-', 'COUNT', 1)[1]
if last and last[1] ~= ARGV[2] then return 0 end
redis.call('ZREM', key('active'), ARGV[1])
return 1
