-- A batch no longer wants a job. ARGV: request id, token, batch. A job that others want stays with them; one that is under way
-- is finished, since it is bought. Returns 1 when the job was cancelled.
local rid, token, batch = ARGV[1], ARGV[2], ARGV[3]
local job = key('job', rid)
local found = redis.call('HMGET', job, 'state', 'refs', 'claim', 'op')
if found[4] == token then return 1 end
if found[1] ~= 'queued' or found[3] then return 0 end
local refs, mine, _, wanted = without(found[2], batch)
if #mine == 0 then return 0 end
redis.call('HSET', job, 'op', token)
if not wanted then
  -- Its entry in the line is left to the gate, which passes over it: a search for each job would take Redis for minutes.
  leave_line(rid, false)
  return 1
end
-- The rows leave the job; they are reported as cancelled by themselves.
redis.call('HSET', job, 'refs', refs)
leave_line(rid, true)
local b = key('batch', batch)
redis.call('HINCRBY', b, 'n:queued', -#mine)
redis.call('HINCRBY', b, 'n:cancelled', #mine)
redis.call('HINCRBY', b, 'duplicate', 1 - #mine)
redis.call('HINCRBY', b, 'open', -#mine)
for _, number in ipairs(mine) do leave_with_batch(batch, number) end
complete(b)
return 1
