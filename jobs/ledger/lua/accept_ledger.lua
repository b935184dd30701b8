-- A person goes on with this ledger though orders are lost. ARGV: fresh ledger id, then of each mark seen: ledger id, orders, term.
-- This ledger's own count and term are raised to what was seen, so that it is whole from here on; other ids are those that it replaces.
-- Running it twice changes nothing. Returns {ledger id, orders}.
local meta, gate = key('meta'), key('gate')
redis.call('HSETNX', meta, 'id', ARGV[1])
local id = redis.call('HGET', meta, 'id')
local orders = tonumber(redis.call('HGET', meta, 'orders') or '0')
for i = 2, #ARGV, 3 do
  if ARGV[i] == id then
    orders = math.max(orders, tonumber(ARGV[i + 1]))
    local seen, own = term_number(ARGV[i + 2]), term_number(term)
    if seen > own then
      term = ARGV[i + 2]
    elseif seen == own and ARGV[i + 2] ~= term then
      -- Two servers were promoted, and neither knew of the other: whoever knows of that one comes over to this one.
      term = string.format('%d-%s', own + 1, string.match(term, '[^-]*$'))
    end
    if term ~= (clock[3] or '0') then redis.call('HSET', key('clock'), 'term', term) end
  else redis.call('HSET', meta, 'replaces:' .. ARGV[i], ARGV[i + 1])
  end
end
orders = math.max(orders, tonumber(redis.call('HGET', key('recovery'), 'most') or '0'))
redis.call('HSET', meta, 'orders', orders)
local paused = redis.call('HGET', gate, 'paused')
if begins_with(paused, 'ledger:') or begins_with(paused, RECOVERING) then
  recovered()
  if begins_with(redis.call('HGET', gate, 'paused'), 'ledger:') then redis.call('HDEL', gate, 'paused') end
  notify('wakeups', 64)
end
redis.call('DEL', key('recovery'))
return { id, orders }
