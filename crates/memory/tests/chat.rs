//! Conversations in memory.

use resync_memory::chat::InMemoryConversationStore;

mod laws {
    resync_chat::conversation_store_contract!(((), super::InMemoryConversationStore::default()));
}
