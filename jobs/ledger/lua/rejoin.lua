-- A process has brought in a journal of orders, or only tells how many it has seen; see begin_recovery in prelude.lua.
-- ARGV: ledger id, the journal ('' = none), the highest number of an order that it knows. Returns what try_open does.
if redis.call('HGET', key('meta'), 'id') ~= ARGV[1] then return 'none' end
recognise()
local recovery = key('recovery')
local most = redis.call('HGET', recovery, 'most')
if not most then return 'none' end
redis.call('HSET', recovery, 'most', math.max(tonumber(most), tonumber(ARGV[3])))
if ARGV[2] ~= '' then redis.call('HSET', recovery, 'in:' .. ARGV[2], 1) end
return try_open()
