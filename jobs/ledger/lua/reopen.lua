-- A person asks for one more try. ARGV: request id, token, state it must be in, batch that wants it ('' = any), 1 = buy it anew even though its
-- task was paid for. Without that the old task of a paid loss is asked again. Returns 1 or 0.
local rid, token = ARGV[1], ARGV[2]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'refs', 'op')
if found[3] == token then return 1 end
-- One whose rows have all left it is nobody's.
if found[1] ~= ARGV[3] or (found[2] or '') == '' then return 0 end
-- A batch that has left the job moves nothing for others.
if ARGV[4] ~= '' and (not refers_to(found[2], ARGV[4]) or redis.call('HEXISTS', key('batch', ARGV[4]), 'pruning') == 1) then return 0 end
redis.call('HSET', job, 'op', token)
-- The others that were cancelled stay so: their lines may hold more than this job.
if ARGV[4] ~= '' then uncancel(ARGV[4]) else each_ref(found[2], uncancel) end
if ARGV[5] ~= '1' and paid_loss(rid) then
  ask_old_task(rid)
  return 1
end
forget_task(rid, 'renewed')
redis.call('ZREM', key('unknown'), rid)
back_to_queue(rid)
notify('wakeups', 64)
return 1
