-- A person asks for one more try. ARGV: request id, state it must be in, batch that wants it ('' = any). Returns 1 or 0.
local rid = ARGV[1]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'refs')
if found[1] ~= ARGV[2] then return 0 end
-- A batch that has left the job moves nothing for others.
if ARGV[3] ~= '' and not string.find(';' .. (found[2] or ''), ';' .. ARGV[3] .. '=', 1, true) then return 0 end
renew(rid)
each_ref(found[2], uncancel)
redis.call('ZREM', key('unknown'), rid)
back_to_queue(rid)
ring('bell', 64)
return 1
