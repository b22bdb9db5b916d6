// What stands in a data address: its bytes, and the json that they may spell.
export const bytesOf = (address) => Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
export const jsonOf = (address) => JSON.parse(new TextDecoder().decode(bytesOf(address)));
