-- Gives back the memory of entries that a `clear` has voided (R2): those of earlier generations, and foreign values, which have no header.
-- KEYS 1… entries   ARGV 1 generation
-- Returns how many went
-- A generation is only ever moved upwards by a `clear`; one that is higher than ours belongs to a later one.
local gone = 0
for _, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, 18)
  if type(head) == 'string' and head ~= '' then
    local g = string.match(head, '^v1 %a (%d+)')
    if (g and tonumber(g) < tonumber(ARGV[1])) or not string.find(head, '^v%d+ ') then
      gone = gone + redis.call('UNLINK', key)
    end
  end
end
return gone
