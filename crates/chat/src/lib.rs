//! Conversations, intents, evidence and answers over the plan and the documents.
