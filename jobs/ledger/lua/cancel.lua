-- A batch no longer wants a job. ARGV: batch, request id, token. A job that others want stays with them; one that is under way
-- is finished, since it is bought. Returns 1 when the job was cancelled.
local batch, rid, token = ARGV[1], ARGV[2], ARGV[3]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'refs', 'claim', 'op')
if found[4] == token then return 1 end
if found[1] ~= 'queued' or found[3] then return 0 end
local others, mine, wanted = {}, nil, false
each_ref(found[2], function(name, rows, count)
  if name == batch then mine = { rows, count } else
    others[#others + 1] = name .. '=' .. rows
    wanted = wanted or not redis.call('HGET', key('batch', name), 'cancelled')
  end
end)
if not mine then return 0 end
redis.call('HSET', job, 'op', token)
if not wanted then
  -- Its entry in the line is left to the gate, which passes over it: a search for each job would take Redis for minutes.
  redis.call('ZREM', key('retry'), rid)
  redis.call('HSET', job, 'finished_ms', now)
  move(rid, 'cancelled')
  return 1
end
-- The rows leave the job; they are told cancelled by themselves.
redis.call('HSET', job, 'refs', table.concat(others, ';'))
if not redis.call('ZSCORE', key('retry'), rid) then enqueue(rid, home(rid), true) end
local b = key('batch', batch)
redis.call('HINCRBY', b, 'n:queued', -mine[2])
redis.call('HINCRBY', b, 'n:cancelled', mine[2])
for number in string.gmatch(mine[1], '[^,]+') do
  redis.call('HSET', key('left', batch), number, 'cancelled')
  redis.call('XADD', key('out', batch), '*', 'row', number)
end
if redis.call('HINCRBY', b, 'open', -mine[2]) == 0 and redis.call('HGET', b, 'sealed') == '1' then
  redis.call('HSET', b, 'completed_ms', now)
end
return 1
