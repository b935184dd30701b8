-- A pruned batch has no row any more: the rest of it goes. ARGV: batch. Returns 1 when it is gone, 0 while it has rows or is no such batch.
-- Twice is once: what is gone is gone.
local batch = ARGV[1]
if redis.call('SISMEMBER', key('pruning'), batch) == 0 then return redis.call('EXISTS', key('batch', batch)) == 0 and 1 or 0 end
if redis.call('EXISTS', key('rows', batch)) == 1 then return 0 end
for _, kind in ipairs({ 'batch', 'left', 'versions', 'out', 'queued', 'review', 'exporting' }) do redis.call('UNLINK', key(kind, batch)) end
redis.call('LREM', key('ring'), 0, batch)
redis.call('ZREM', key('active'), batch)
redis.call('SREM', key('pruning'), batch)
return 1
