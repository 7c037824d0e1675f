// What a destination is made of. Copy this folder and proto/ into a plugin of your
// own; everything outside of it is the example's.
export * from './destination.js';
export { LosslessNumber, parseObject, toText, type Json, type JsonObject } from './json.js';
export { log } from './log.js';
export { serve } from './serve.js';
