-- Takes or renews the lease of the one reconciler. ARGV: its token, lease ms.
-- Returns nothing when another one has it, else of each batch that is active {batch, last entry of its outbox, when it was complete}, '' for
-- what is not. Twice is once: it renews it.
local lease = key('reconciler')
local holder = redis.call('GET', lease)
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
local news = {}
for at, batch in ipairs(redis.call('ZRANGE', key('active'), 0, -1)) do
  local last = redis.call('XREVRANGE', key('out', batch), '+', '-', 'COUNT', 1)[1]
  news[at] = { batch, last and last[1] or '', redis.call('HGET', key('batch', batch), 'completed_ms') or '' }
end
return news
