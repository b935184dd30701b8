-- Takes back a pause that we made ourselves, never a person's. ARGV: its reason. Returns 1 when it was there.
if redis.call('HGET', key('gate'), 'paused') ~= ARGV[1] then return 0 end
redis.call('HDEL', key('gate'), 'paused')
ring('bell', 64)
return 1
