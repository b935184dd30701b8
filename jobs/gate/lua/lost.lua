-- A paid task brought no picture and is lost. ARGV: token, why, how many in a row pause the account.
-- Whoever buys on while nothing arrives throws money away: a person must look. Returns 1 when it has just been paused.
return once(ARGV[1], function()
  local gate = key('gate')
  local lost = redis.call('HINCRBY', gate, 'lost', 1)
  if lost < tonumber(ARGV[3]) or redis.call('HEXISTS', gate, 'paused') == 1 then return 0 end
  redis.call('HSET', gate, 'paused', 'no results: ' .. ARGV[2], 'lost', 0)
  return 1
end)
