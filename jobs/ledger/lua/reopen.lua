-- A person asks for one more try. ARGV: request id, state it must be in. Returns 1 or 0.
local rid = ARGV[1]
local job = key('job', rid)
if redis.call('HGET', job, 'state') ~= ARGV[2] then return 0 end
renew(rid)
each_ref(redis.call('HGET', job, 'refs'), uncancel)
redis.call('ZREM', key('unknown'), rid)
back_to_queue(rid)
ring('bell', 64)
return 1
